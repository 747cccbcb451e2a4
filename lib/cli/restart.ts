/** How a process that was told to end by a verb tells its supervisor whether it is to be started again. */

/** What systemd and supervisord, told to start again what fails, and `up` take for a reason to do so. */
const restartExitCode = 75;

/** Gives the process the exit code that asks for a restart if its role ends for this reason: a killed one is started again, and nothing is after killall. */
export function endForRestart(stopped: Promise<string>, reason: string): void {
  void stopped.then((why) => { if (why === reason) process.exitCode = restartExitCode; });
}
