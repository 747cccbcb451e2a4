/**
 * The library of schemas as one module: its build puts the 249 files of typebox into this one, as loading them took longer than
 * everything else that a process does before it serves (misc/build.mjs).
 */
export { Type, type Static, type TSchema } from "@sinclair/typebox";
export { TypeCompiler, type TypeCheck } from "@sinclair/typebox/compiler";
export { Value } from "@sinclair/typebox/value";
