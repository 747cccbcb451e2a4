/** Fair queues of calls: one a key of affinity, served in turn, and the calls of one key in turn as well. */

/** Query ids with work to hand out, by affinity; the order of both levels is the order of service. */
export type FairQueues = Map<string, Set<string>>;

/** Queues with nothing in them. */
export function createQueues(): FairQueues {
  return new Map();
}

/** Puts a query at the end of its queue; one that waits already keeps its place. */
export function enqueue(queues: FairQueues, affinity: string, queryId: string): void {
  const queue = queues.get(affinity);
  if (queue === undefined) queues.set(affinity, new Set([queryId]));
  else queue.add(queryId);
}

/** Takes a query out of its queue; one that does not wait is no error. */
export function dequeue(queues: FairQueues, affinity: string, queryId: string): void {
  const queue = queues.get(affinity);
  if (queue === undefined) return;
  queue.delete(queryId);
  if (queue.size === 0) queues.delete(affinity);
}

/** Sends a query that was just served, and its queue, behind the others, so that a large query delays no small one. */
export function rotate(queues: FairQueues, affinity: string, queryId: string): void {
  const queue = queues.get(affinity);
  if (queue === undefined || !queue.delete(queryId)) return;
  queue.add(queryId);
  queues.delete(affinity);
  queues.set(affinity, queue);
}

/** Query ids, the most urgent first. What is rotated meanwhile comes again at the end. */
export function* inTurn(queues: FairQueues): Generator<string> {
  for (const queue of queues.values()) yield* queue;
}

/** Tells whether one query waits and no other. */
export function isOnlyOne(queues: FairQueues): boolean {
  const [only, another] = queues.values();
  return only?.size === 1 && another === undefined;
}
