/** Failures that tests expect. */
import { expect } from "chai";
import { BquerydError } from "../../lib/base/errors.js";

/** What an action fails with, a BquerydError; fails the test when the action does not. */
export async function failureOf(action: () => unknown): Promise<BquerydError> {
  try {
    await action();
  } catch (cause) {
    expect(cause).to.be.instanceOf(BquerydError);
    return cause as BquerydError;
  }
  throw new Error("the action did not fail");
}
