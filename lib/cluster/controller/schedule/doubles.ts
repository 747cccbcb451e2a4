/**
 * Ordinals that two tasks are at, since the first of the two was late. Whoever answers one first has answered it; the other
 * task goes on with the rest of what it has, and is called off when there is no rest. Where one of the two ends without an
 * answer the other is still at it, so nothing waits.
 */
import { callOff } from "../calls/calls.js";
import type { Call, ControllerState, Step, Task } from "../state.js";

/** Takes ordinals that a task has answered away from the other tasks that were at them. */
export function overtake(step: Step, call: Call, task: Task, ordinals: readonly number[]): void {
  if (call.doubled.size === 0) return;
  for (const ordinal of ordinals) {
    if (!call.doubled.delete(ordinal)) continue;
    const other = otherAt(step.state, call, task, ordinal)!;
    other.open.delete(ordinal);
    other.isOvertaken = true;
    if (other.open.size === 0) callOff(step, other);
  }
}

/** The open ordinals of a task that is over which no other task is at, ascending. The others have one task from now on. */
export function leaveDoubles({ doubled }: Call, { open }: Task): number[] {
  return [...open].filter((ordinal) => !doubled.delete(ordinal));
}

function otherAt(state: ControllerState, call: Call, task: Task, ordinal: number): Task | undefined {
  return [...call.tasks].map((taskId) => state.tasks.get(taskId)!).find((other) => other !== task && other.open.has(ordinal));
}
