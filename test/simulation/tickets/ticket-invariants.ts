/** What must hold after every step of a simulated distribution, and what at its end. */
import type { Pointers } from "../../../lib/registry/pointers.js";
import { chooseNodes } from "../../../lib/cluster/sync/tickets/placement.js";
import { contentOf, nameOf, truth, type TicketWorld } from "./ticket-world.js";

/** Notes what does not hold now. */
export function checkAlways(world: TicketWorld): void {
  if (world.problems.length > 5) return;
  const pointers = truth(world);
  const found = [...mixed(world, world.registry.pointers), ...mixed(world, pointers), ...missing(world, pointers)];
  for (const problem of found) world.note(() => `problem: ${problem}`);
  world.problems.push(...found);
  if (world.registry.changes === world.checkedChanges) return;
  world.checkedChanges = world.registry.changes;
  world.problems.push(...broken(world));
}

/** Notes what is left or lacking when all faults are over for long. */
export function checkAtRest(world: TicketWorld): void {
  const { heads } = world.registry.list();
  const open = heads.filter(({ state }) => state === "active" || state === "committed");
  world.problems.push(...open.map(({ id, state }) => `${id} is still ${state} in the end`));
  const pointers = truth(world);
  for (const node of world.nodes.filter(({ isLost }) => !isLost)) {
    node.collect();
    const left = [...node.stages.map(({ ticket, table }) => `a stage of ${table} of ${ticket}`), ...node.marks.map(({ ticket, table }) => `a mark of ${table} of ${ticket}`)];
    for (const [table, landed] of node.landed) {
      left.push(...[...landed].filter((one) => node.current.get(table)?.includes(one) !== true).map((one) => `files of ${nameOf(one)} in ${table}`));
    }
    world.problems.push(...left.map((what) => `${node.name} has ${what} in the end`));
  }
  for (const { table, generation, nodes } of [...namedBy(world, pointers), ...wanted(world, pointers)]) {
    for (const node of nodes) if (node.current.get(table)?.includes(generation) !== true) world.problems.push(`${node.name} does not serve ${nameOf(generation)} of ${table} in the end`);
  }
  for (const node of world.nodes) for (const table of node.foreign) if (node.landed.has(table)) world.problems.push(`${node.name} put files into ${table}, which is not ours`);
}

/** All pointers of a commit or none, but those that a later one has moved on; and none that no commit has set. */
function mixed({ commits }: TicketWorld, { tables }: Pointers): string[] {
  return [...tables].flatMap(([table, { generation, epoch }]) => {
    const commit = commits.get(epoch);
    if (commit?.tables.get(table)?.generation !== generation) return [`the pointer of ${table} at epoch ${epoch} was set by no commit`];
    const behind = [...commit.tables.keys()].filter((other) => (tables.get(other)?.epoch ?? 0) < epoch);
    return behind.map((other) => `the pointer of ${table} was moved by ${commit.ticket}, and that of ${other} not`);
  });
}

/** Every node of the ticket has what the pointer names, and keeps it. */
function missing(world: TicketWorld, pointers: Pointers): string[] {
  return namedBy(world, pointers).flatMap(({ table, generation, nodes }) => nodes.flatMap((node) => {
    const isNamed = node.current.get(table)?.includes(generation) === true || node.marks.some((mark) => mark.table === table && mark.generation === generation);
    return (isNamed && node.has(table, generation)) || node.isSpared(table, generation) ? [] : [`${node.name} lacks ${nameOf(generation)} of ${table}, which a pointer names`];
  }));
}

function namedBy(world: TicketWorld, { tables }: Pointers) {
  return [...tables].flatMap(([table, { generation, epoch }]) => {
    const names = world.commits.get(epoch)?.tables.get(table)?.nodes ?? [];
    return generation === null ? [] : [{ table, generation, nodes: world.nodes.filter((node) => !node.isLost && names.includes(node.name) && !node.isGone(table, generation)) }];
  });
}

/** What every node is to have in the end that is there, of what the bucket still has. */
function wanted(world: TicketWorld, { tables }: Pointers) {
  const live = world.nodes.filter(({ isLost }) => !isLost);
  return [...tables].flatMap(([table, { generation, source }]) => {
    if (generation === null || source === null || contentOf(world, table, generation, source.hasManifest) !== generation) return [];
    const names = chooseNodes(table, live.map(({ name }) => name), source.replicas);
    return [{ table, generation, nodes: live.filter(({ name, foreign }) => names.includes(name) && !foreign.has(table)) }];
  });
}

/** A commit is never taken back, and counts are those of the slots. */
function broken({ registry, commits }: TicketWorld): string[] {
  const committed = new Set([...commits.values()].map(({ ticket }) => ticket));
  return registry.list().heads.flatMap(({ id, state, counts }) => {
    const isOver = state === "failed" || state === "cancelled";
    const slots = [...registry.slots(registry.plan(id)!).values()];
    const isCounted = Object.entries(counts).every(([of, count]) => slots.filter((slot) => slot.state === of).length === count);
    return [...(isOver && committed.has(id) ? [`${id} was committed and is ${state}`] : []), ...(isCounted ? [] : [`${id} miscounts its slots`])];
  });
}
