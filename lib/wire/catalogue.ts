/** Checks headers against the catalogue in messages.ts: which message belongs where, and what its fields hold. */
import { TypeCompiler, type TSchema, type TypeCheck } from "../base/typebox.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { clientMessages, clientReplies, workerMessages, workerReplies } from "./messages.js";
import type { ClientMessage, ClientReply, WorkerMessage, WorkerReply } from "./messages.js";

/** The headers of each channel: `message` travels to the controller, `reply` comes back. */
export interface Channels {
  client: { message: ClientMessage; reply: ClientReply };
  worker: { message: WorkerMessage; reply: WorkerReply };
}
/** Who talks to the controller. */
export type Channel = keyof Channels;
/** Which way a message goes: to the controller, or back. */
export type Direction = "message" | "reply";

const catalogues: Record<Channel, Record<Direction, Readonly<Record<string, TSchema>>>> = {
  client: { message: clientMessages, reply: clientReplies },
  worker: { message: workerMessages, reply: workerReplies },
};

const compiled = new Map<TSchema, TypeCheck<TSchema>>();

/** The header, known to be one of the catalogue's; throws BAD_MESSAGE naming the type and the first wrong field. */
export function requireHeader<C extends Channel, D extends Direction>(channel: C, direction: D, header: unknown): Channels[C][D] {
  const type = typeOf(header);
  const schema = findSchema(channel, direction, type);
  const check = compiled.get(schema) ?? compile(schema);
  if (!check.Check(header)) throw wrongField(`${channel} ${direction}`, type, check, header);
  return header as Channels[C][D];
}

function typeOf(header: unknown): string {
  if (typeof header === "object" && header !== null && "type" in header && typeof header.type === "string") return header.type;
  throw new BquerydError("BAD_MESSAGE", "the header of a message is not a map with a 'type'; send one of PROTOCOL.md");
}

function findSchema(channel: Channel, direction: Direction, type: string): TSchema {
  const catalogue = catalogues[channel][direction];
  const schema = Object.hasOwn(catalogue, type) ? catalogue[type] : undefined;
  if (schema !== undefined) return schema;
  const shown = type.slice(0, 64);
  const advice = suggestion(shown, Object.keys(catalogue), "send one of PROTOCOL.md");
  throw new BquerydError("BAD_MESSAGE", `no ${channel} ${direction} is of type '${shown}'${advice}`, { details: { type: shown } });
}

function compile(schema: TSchema): TypeCheck<TSchema> {
  const check = TypeCompiler.Compile(schema);
  compiled.set(schema, check);
  return check;
}

function wrongField(kind: string, type: string, check: TypeCheck<TSchema>, header: unknown): BquerydError {
  const first = check.Errors(header).First();
  const field = first?.path.slice(1, 257) ?? "";
  const problem = first?.message ?? "unlike its schema";
  return new BquerydError("BAD_MESSAGE", `field '${field}' of the ${kind} '${type}' is wrong (${problem}); send what PROTOCOL.md lists`, { details: { type, field } });
}
