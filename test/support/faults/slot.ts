/** Processes of a stage, each of which can be killed and started again as it was. */
import { startBqueryd, type BquerydProcess } from "../../../misc/support/process.js";

/** A process that can be killed and started again as it was. */
export interface Slot {
  readonly name: string;
  /** The one that runs now, or ran last. */
  readonly process: BquerydProcess;
  start(): Promise<void>;
}

/** Starts a process, which is ended with the others of `closing`. */
export async function startSlot(name: string, args: readonly string[], closing: (() => Promise<unknown>)[]): Promise<Slot> {
  const slot = slotOf(name, args, await startBqueryd(args));
  closing.push(() => endSlot(slot));
  return slot;
}

/** A slot of which the first process runs already. */
export function slotOf(name: string, args: readonly string[], first: BquerydProcess): Slot {
  const slot = {
    name, process: first,
    async start(): Promise<void> {
      await slot.process.ended;
      slot.process = await startBqueryd(args);
    },
  };
  return slot;
}

/** Ends a process, also one that is stopped. */
export async function endSlot({ process }: Slot): Promise<void> {
  process.signal("SIGCONT");
  process.signal("SIGTERM");
  await process.ended;
}
