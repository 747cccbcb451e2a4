/** The reporter of `npm test`: mocha's own, and a last line that programs read. */
import Mocha from "mocha";

/** Mocha asks for a constructor as the default export. */
export default function Reporter(runner: Mocha.Runner, options: Mocha.MochaOptions): void {
  new Mocha.reporters.Spec(runner, options);
  runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
    const { passes = 0, failures = 0 } = runner.stats ?? {};
    process.stdout.write(`${passes} passed, ${failures} failed\n`);
  });
}
