/**
 * Pointers that queries go by only once somebody has told of what they name. A generation is put beside the others of a table
 * where no event tells of it, so workers are asked to look; until they have, queries go on by the pointers before.
 */
import { requestWake, type ControllerState, type Looking, type Step } from "../state.js";
import { followPointers, isHeld } from "./catalog.js";
import type { Pointed } from "./generations.js";

/** How long workers may look: one scan of a directory. */
const lookMs = 1_000;

/** Tells whether queries will soon go by pointers of that epoch, and do not yet. */
export function isNear({ catalog, looking }: ControllerState, epoch: number): boolean {
  return looking !== undefined && epoch > catalog.epoch && epoch <= looking.epoch;
}

/** Takes pointers: at once when all that they move to is held, or there is nobody to look for it. */
export function takePointers(step: Step, epoch: number, pointed: Pointed): void {
  const { state, nowMs } = step;
  if (epoch < Math.max(state.catalog.epoch, state.looking?.epoch ?? 0)) return; // Old news.
  const untilMs = state.looking?.untilMs ?? nowMs + lookMs;
  state.looking = { epoch, pointed, untilMs };
  followFound(step);
  if (!isNear(state, epoch)) return;
  for (const workerId of state.workers.keys()) step.actions.push({ kind: "look", workerId });
  requestWake(step, untilMs);
}

/** Follows the pointers that wait, if what they name was found or their time is over. After every event that may bring that. */
export function followFound({ state, nowMs }: Step): void {
  const { looking, catalog, workers } = state;
  if (looking === undefined) return;
  if (nowMs < looking.untilMs && workers.size > 0 && !isFound(state, looking)) return;
  state.looking = undefined;
  followPointers(catalog, looking.epoch, looking.pointed);
}

/** Tells whether somebody has every generation that is another one than before. */
function isFound({ catalog }: ControllerState, { pointed }: Looking): boolean {
  for (const [name, generation] of pointed) if (catalog.pointed.get(name) !== generation && !isHeld(catalog, name, generation)) return false;
  return true;
}
