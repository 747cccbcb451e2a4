/**
 * A disk whose power is cut at its n-th operation: what was not synced by then may be lost, any part of it. The
 * operations go to a real directory, which reads see, and a model beside it knows what is durable.
 */
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { wallMs, type Random } from "../../lib/base/clock.js";
import type { Files } from "../../lib/base/files.js";
import { unsyncedFiles } from "./write-table.js";

/** A disk that dies. */
export interface PowerCut {
  readonly files: Files;
  /** Whether it has died. */
  isDead(): boolean;
  /** Operations that were done. */
  done(): number;
  /** Writes what may be there after the cut into a new directory: which of the unsynced changes, chance says. */
  recover(target: string, random: Random): Promise<void>;
}

interface FileNode {
  readonly kind: "file";
  /** Undefined for content that was never synced. */
  durable: Uint8Array | undefined;
  content: Uint8Array;
  modifiedMs: number;
}

interface DirectoryNode {
  readonly kind: "directory";
  durable: Map<string, Node>;
  entries: Map<string, Node>;
  /** What was done to the entries since the last sync. */
  changes: { readonly remove?: string | undefined; readonly add?: readonly [string, Node] | undefined }[];
}

type Node = FileNode | DirectoryNode;

/** Operations that a dead process does not finish fail with this. */
const killed = (): Error => Object.assign(new Error("killed"), { code: "EIO", syscall: "write" });

/** A disk that holds the directory `root` as it is, durable, and dies when `operations` have been done. */
export async function createPowerCut(root: string, operations: number): Promise<PowerCut> {
  const model = await modelOf(root);
  let left = operations;
  let done = 0;

  async function step<T>(work: () => Promise<T>, change: (result: T) => void, half?: () => void): Promise<T> {
    if (left-- <= 0) {
      if (left === -1) half?.();
      throw killed();
    }
    const result = await work();
    done++;
    change(result);
    return result;
  }

  const nodeAt = (path: string): Node | undefined => {
    let node: Node | undefined = model;
    for (const part of path === root ? [] : path.slice(root.length + 1).split("/")) node = node?.kind === "directory" ? node.entries.get(part) : undefined;
    return node;
  };
  const directoryOf = (path: string): DirectoryNode => nodeAt(dirname(path)) as DirectoryNode;
  const fileAt = (path: string): FileNode => nodeAt(path) as FileNode;

  function change(path: string, remove: string | undefined, add: readonly [string, Node] | undefined): void {
    const directory = directoryOf(path);
    if (remove !== undefined) directory.entries.delete(remove);
    if (add !== undefined) directory.entries.set(...add);
    directory.changes.push({ remove, add });
  }

  function write(path: string, bytes: Uint8Array): void {
    const file = nodeAt(path);
    if (file?.kind === "file") file.content = Buffer.concat([file.content, bytes]);
    else change(path, undefined, [basename(path), newFile(Uint8Array.from(bytes))]);
  }

  const files: Files = {
    create: (path, bytes) => step(() => unsyncedFiles.create(path, bytes), () => { write(path, bytes); }, () => { write(path, bytes.subarray(0, bytes.length >> 1)); }),
    createSynced: (path, bytes) => step(() => unsyncedFiles.createSynced(path, bytes), () => {
      write(path, bytes);
      fileAt(path).durable = fileAt(path).content;
    }, () => { write(path, bytes.subarray(0, bytes.length >> 1)); }),
    append: (path, bytes) => step(() => unsyncedFiles.append(path, bytes), () => { write(path, bytes); }, () => { write(path, bytes.subarray(0, bytes.length >> 1)); }),
    read: (path, range) => step(() => unsyncedFiles.read(path, range), () => undefined),
    sync: (path) => step(() => unsyncedFiles.sync(path), () => { fileAt(path).durable = fileAt(path).content; }),
    syncDirectory: (path) => step(() => unsyncedFiles.syncDirectory(path), () => {
      const directory = nodeAt(path) as DirectoryNode;
      directory.durable = new Map(directory.entries);
      directory.changes = [];
    }),
    rename: (from, to) => step(() => unsyncedFiles.rename(from, to), () => { change(to, basename(from), [basename(to), fileAt(from)]); }),
    link: (from, to) => step(() => unsyncedFiles.link(from, to), () => { change(to, undefined, [basename(to), fileAt(from)]); }),
    remove: (path) => step(() => unsyncedFiles.remove(path), () => { change(path, basename(path), undefined); }),
    makeDirectory: (path) => step(() => unsyncedFiles.makeDirectory(path), (created) => {
      if (created !== undefined) makeParents(path, created);
    }),
    removeDirectory: (path) => step(() => unsyncedFiles.removeDirectory(path), () => { change(path, basename(path), undefined); }),
    list: (path) => step(() => unsyncedFiles.list(path), () => undefined),
    find: (path) => step(() => unsyncedFiles.find(path), () => undefined),
    touch: (path, modifiedMs) => step(() => unsyncedFiles.touch(path, modifiedMs), () => { fileAt(path).modifiedMs = modifiedMs; }),
  };

  function makeParents(path: string, first: string): void {
    if (path.length > first.length) makeParents(dirname(path), first);
    change(path, undefined, [basename(path), newDirectory()]);
  }

  return { files, isDead: () => left < 0, done: () => done, recover: (target, random) => recover(model, target, random) };
}

function newFile(content: Uint8Array): FileNode {
  return { kind: "file", durable: undefined, content, modifiedMs: wallMs() };
}

function newDirectory(): DirectoryNode {
  return { kind: "directory", durable: new Map(), entries: new Map(), changes: [] };
}

async function modelOf(path: string): Promise<DirectoryNode> {
  const directory = newDirectory();
  for (const name of await readdir(path)) {
    const inner = join(path, name);
    const { mtimeMs, isDirectory } = await stat(inner).then((facts) => ({ mtimeMs: facts.mtimeMs, isDirectory: facts.isDirectory() }));
    const node: Node = isDirectory ? await modelOf(inner) : await readFile(inner).then((content): FileNode => ({ kind: "file", durable: content, content, modifiedMs: mtimeMs }));
    directory.durable.set(name, node);
  }
  directory.entries = new Map(directory.durable);
  return directory;
}

async function recover(directory: DirectoryNode, target: string, random: Random): Promise<void> {
  await mkdir(target);
  // All, none, or any of the changes.
  const share = Math.floor(random() * 3) / 2;
  const entries = new Map(directory.durable);
  for (const { remove, add } of directory.changes) {
    if (random() >= share) continue;
    if (remove !== undefined) entries.delete(remove);
    if (add !== undefined) entries.set(...add);
  }
  for (const [name, node] of entries) {
    const path = join(target, name);
    if (node.kind === "directory") await recover(node, path, random);
    else await writeFile(path, disown(name, contentAfter(node, random))).then(() => utimes(path, node.modifiedMs / 1000, node.modifiedMs / 1000));
  }
}

/** What is on the disk: all, or only what was synced, or a part of the rest, or its length without its content. */
function contentAfter({ durable, content }: FileNode, random: Random): Uint8Array {
  if (durable === content) return content;
  const synced = durable?.length ?? 0;
  switch (Math.floor(random() * 4)) {
    case 0: return content;
    case 1: return content.slice(0, synced);
    case 2: return content.slice(0, synced + Math.floor(random() * (content.length - synced)));
    default: return content.slice().fill(0, synced);
  }
}

/** This process stands for the one that died: what names it names one that is gone. */
function disown(name: string, content: Uint8Array): Uint8Array {
  const isMark = (name.startsWith("LOCK") || name.startsWith("PIN.")) && Buffer.from(content).toString("latin1").startsWith(`${process.pid} `);
  return isMark ? Buffer.from("4999999 1 dead\n") : content;
}
