/**
 * Which generation a query reads. With a pointer that one, and no other. Without, of a table: the one most live workers hold, on a tie the one changed last, then the
 * greater id. The shards of a set are chosen together, so that no query mixes two imports.
 */
import { parseTableName } from "../../../columns/names.js";
import type { Holding } from "../../../wire/messages.js";

/** A generation of a shard that turned out not to be kept any more. */
export interface GoneGeneration {
  readonly name: string;
  readonly generation: string;
}

/** A shard by name, and what each of the worker ids that hold it has. */
export interface HeldShard {
  readonly name: string;
  readonly holders: ReadonlyMap<string, Holding>;
}

/** One generation of one shard, as the worker that changed last describes it, or a whole set. */
interface Candidate {
  readonly id: string;
  /** Whether a pointer names it, or one of the set. */
  readonly isPointed: boolean;
  readonly holders: number;
  readonly changedMs: number;
}

interface ShardCandidate extends Candidate {
  readonly holding: Holding;
}

interface SetCandidate extends Candidate {
  readonly members: readonly ShardCandidate[];
}

/** Generations that queries are to read, by directory name. */
export type Pointed = ReadonlyMap<string, string>;

/** The holding to read under each name, as if it were the current one; generations that are gone are left out. */
export function chooseHoldings(shards: Iterable<HeldShard>, pointed: Pointed, gone: readonly GoneGeneration[] = []): ReadonlyMap<string, Holding> {
  const chosen = new Map<string, Holding>();
  for (const candidatesByName of groupBySet(shards, pointed, gone).values()) {
    const isAnyPointed = candidatesByName.some(([candidate]) => candidate?.isPointed === true);
    const set = best(completeSets(candidatesByName).filter(({ isPointed }) => isPointed === isAnyPointed));
    const members = set?.members ?? candidatesByName.flatMap((candidates) => best(candidates) ?? []);
    for (const { holding } of members) chosen.set(holding.name, holding);
  }
  return chosen;
}

/** The candidates of every shard, those of one set name together; a table stands alone. */
function groupBySet(shards: Iterable<HeldShard>, pointed: Pointed, gone: readonly GoneGeneration[]): Map<string, ShardCandidate[][]> {
  const groups = new Map<string, ShardCandidate[][]>();
  for (const shard of shards) {
    const pointer = pointed.get(shard.name);
    const candidates = pointer === undefined ? candidatesOf(shard, gone) : pointedOf(shard, pointer, gone);
    const group = groups.get(groupOf(shard.name));
    if (group === undefined) groups.set(groupOf(shard.name), [candidates]);
    else group.push(candidates);
  }
  return groups;
}

function groupOf(name: string): string {
  const { base, shard } = parseTableName(name);
  return shard === null ? name : base;
}

/** The one generation that a pointer names, if some worker has it, as its current one or kept beside that. */
function pointedOf({ name, holders }: HeldShard, generation: string, gone: readonly GoneGeneration[]): ShardCandidate[] {
  if (gone.some((one) => one.name === name && one.generation === generation)) return [];
  const held = [...holders.values()].flatMap((holding) => findGeneration(holding, generation) ?? []);
  const [holding] = held;
  return holding === undefined ? [] : [{ id: generation, isPointed: true, holders: held.length, changedMs: holding.changedMs, holding }];
}

/** A generation of a holding, current or kept, as if it were the current one. */
function findGeneration(holding: Holding, generation: string): Holding | undefined {
  if (holding.generation === generation) return holding;
  const { kept, ...current } = holding;
  const found = kept?.find((one) => one.generation === generation);
  return found === undefined ? undefined : { ...current, ...found };
}

function candidatesOf(shard: HeldShard, gone: readonly GoneGeneration[]): ShardCandidate[] {
  const byGeneration = new Map<string, ShardCandidate>();
  for (const holding of shard.holders.values()) {
    if (holding.prepared === true) continue; // Nothing is current there: only a pointer makes it part of a query.
    if (gone.some(({ name, generation }) => name === holding.name && generation === holding.generation)) continue;
    const known = byGeneration.get(holding.generation);
    const changedMs = Math.max(holding.changedMs, known?.changedMs ?? 0);
    byGeneration.set(holding.generation, { id: holding.generation, isPointed: false, holders: (known?.holders ?? 0) + 1, changedMs, holding });
  }
  return [...byGeneration.values()];
}

/** The sets of which every shard is held by somebody. */
function completeSets(candidatesByName: readonly (readonly ShardCandidate[])[]): SetCandidate[] {
  const bySetId = new Map<string, ShardCandidate[]>();
  for (const candidate of candidatesByName.flat()) {
    const { set } = candidate.holding;
    if (set === null) continue;
    const members = bySetId.get(set.id);
    if (members === undefined) bySetId.set(set.id, [candidate]);
    else members.push(candidate);
  }
  return [...bySetId].filter(([, members]) => isComplete(members)).map(([id, members]) => ({
    id, members, isPointed: members.some((member) => member.isPointed),
    holders: members.reduce((sum, member) => sum + member.holders, 0) / members.length,
    changedMs: members.reduce((latest, member) => Math.max(latest, member.changedMs), 0),
  }));
}

function isComplete(members: readonly ShardCandidate[]): boolean {
  const count = members[0]!.holding.set!.count;
  const indexes = new Set(members.map(({ holding }) => holding.set!.index));
  return members.length === count && indexes.size === count;
}

function best<T extends Candidate>(candidates: readonly T[]): T | undefined {
  return candidates.reduce<T | undefined>((winner, candidate) => {
    return winner === undefined || isBetter(candidate, winner) ? candidate : winner;
  }, undefined);
}

function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.holders !== b.holders) return a.holders > b.holders;
  if (a.changedMs !== b.changedMs) return a.changedMs > b.changedMs;
  return a.id > b.id;
}
