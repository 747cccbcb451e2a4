/** An address for the clusters of this process alone. */

/**
 * An address of this machine that only this process binds. A controller that is started again at its old port finds it
 * free then: at 127.0.0.1 whoever starts meanwhile takes the first free one.
 */
export function ownLoopback(): string {
  const { pid } = process;
  return `127.${[8 + (pid >> 16), pid >> 8, pid].map((part) => part & 255).join(".")}`;
}
