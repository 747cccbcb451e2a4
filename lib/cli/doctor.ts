/** `bqueryd doctor`: whether this machine, this configuration and the cluster are in order, and what to do where not. */
import type { Command } from "commander";
import { checkCluster } from "./doctor/cluster.js";
import { formatCheck, type Check } from "./doctor/check.js";
import { checkMachine } from "./doctor/machine.js";
import { checkPackages } from "./doctor/packages.js";
import { checkPorts } from "./doctor/ports.js";
import { checkTransfer } from "./doctor/transfer.js";
import { readConfig } from "./options.js";

/** Exit code where something does not work. */
const failedExitCode = 69;

/** Adds `doctor` to the program. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check this machine, the configuration and the cluster, and say what to do; changes nothing")
    .option("--json", "print one JSON object")
    .action(runDoctor);
}

async function runDoctor({ json = false }: { readonly json?: boolean }, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const [packages, machine, cluster] = await Promise.all([checkPackages(), checkMachine(config), checkCluster(config)]);
  const checks = [...packages, ...machine, ...await checkTransfer(config, cluster.ownFolders), ...await checkPorts(config, cluster.ownPids), ...cluster.checks];
  process.stdout.write(json ? `${JSON.stringify({ ok: !hasFailed(checks), checks })}\n` : checks.map((check) => `${formatCheck(check)}\n`).join(""));
  if (hasFailed(checks)) process.exitCode = failedExitCode;
}

function hasFailed(checks: readonly Check[]): boolean {
  return checks.some(({ verdict }) => verdict === "failed");
}
