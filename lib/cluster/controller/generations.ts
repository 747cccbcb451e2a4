/**
 * Which generation a query reads. Of a table: the one most live workers hold, on a tie the one changed last, then the
 * greater id. The shards of a set are chosen together, so that no query mixes two imports.
 */
import { parseTableName } from "../../columns/names.js";
import type { Holding } from "../../wire/messages.js";

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
  readonly holders: number;
  readonly changedMs: number;
}

interface ShardCandidate extends Candidate {
  readonly holding: Holding;
}

interface SetCandidate extends Candidate {
  readonly members: readonly ShardCandidate[];
}

/** The holding to read under each name; generations that are gone are left out. */
export function chooseHoldings(shards: Iterable<HeldShard>, gone: readonly GoneGeneration[] = []): ReadonlyMap<string, Holding> {
  const chosen = new Map<string, Holding>();
  for (const candidatesByName of groupBySet(shards, gone).values()) {
    const set = best(completeSets(candidatesByName));
    const members = set?.members ?? candidatesByName.flatMap((candidates) => best(candidates) ?? []);
    for (const { holding } of members) chosen.set(holding.name, holding);
  }
  return chosen;
}

/** The candidates of every shard, those of one set name together; a table stands alone. */
function groupBySet(shards: Iterable<HeldShard>, gone: readonly GoneGeneration[]): Map<string, ShardCandidate[][]> {
  const groups = new Map<string, ShardCandidate[][]>();
  for (const shard of shards) {
    const candidates = candidatesOf(shard, gone);
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

function candidatesOf(shard: HeldShard, gone: readonly GoneGeneration[]): ShardCandidate[] {
  const byGeneration = new Map<string, ShardCandidate>();
  for (const holding of shard.holders.values()) {
    if (gone.some(({ name, generation }) => name === holding.name && generation === holding.generation)) continue;
    const known = byGeneration.get(holding.generation);
    const changedMs = Math.max(holding.changedMs, known?.changedMs ?? 0);
    byGeneration.set(holding.generation, { id: holding.generation, holders: (known?.holders ?? 0) + 1, changedMs, holding });
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
    id, members,
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
