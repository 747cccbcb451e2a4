/** The house that suites of registries live in: one fresh shared state, and two connections to it for each test. */
import { afterEach, beforeEach } from "mocha";
import type { Registry } from "../../lib/registry/registry.js";

/** One fresh shared state, and connections to it. */
export interface RegistryHouse {
  open(cluster: string): Promise<Registry>;
  /** Takes away all that is kept, as somebody else would, while registries are open. */
  empty(): Promise<void>;
  remove(): Promise<void>;
}

/** Opens a house and two connections of one cluster before each test of the suite around, tells of them, and ends all after it. */
export function settleIn(build: () => Promise<RegistryHouse>, settled: (house: RegistryHouse, ours: Registry, theirs: Registry) => void): void {
  let house: RegistryHouse;
  let open: readonly Registry[] = [];
  beforeEach(async () => {
    house = await build();
    const [ours, theirs] = [await house.open("c1"), await house.open("c1")];
    open = [ours, theirs];
    settled(house, ours, theirs);
  });
  afterEach(async () => {
    for (const registry of open) await registry.close();
    await house.remove();
  });
}
