import { expect } from "chai";
import { describe, it } from "mocha";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";

const megabyte = 2 ** 20;

describe("heap", () => {
  it("gives aligned blocks of powers of two and counts them", () => {
    const heap = createHeap(loadKernels(megabyte), megabyte / 2);
    const pointers = [1, 64, 65, 1_000, 4_096].map((bytes) => heap.find(bytes)!);
    expect(pointers.every((pointer) => pointer >= heap.kernels.heapStart && pointer % 64 === 0)).to.equal(true);
    expect([0, 1, 64, 65, 1_000, 4_096].map((bytes) => heap.blockBytes(bytes))).to.deep.equal([64, 64, 64, 128, 1_024, 4_096]);
    expect(heap.usedBytes).to.equal(64 + 64 + 128 + 1_024 + 4_096);
  });

  it("is whole again when all is released", () => {
    const heap = createHeap(loadKernels(megabyte), megabyte / 2);
    const pointers = Array.from({ length: 100 }, (_, k) => heap.find(64 << (k % 5))!);
    for (const pointer of pointers) heap.release(pointer);
    expect(heap.usedBytes).to.equal(0);
    expect(heap.find(megabyte / 2)).to.be.a("number");
    expect(heap.find(1)).to.equal(undefined);
  });

  it("uses all of a capacity that is no power of two", () => {
    const heap = createHeap(loadKernels(megabyte), 7 * 64 + 10);
    expect(heap.capacityBytes).to.equal(7 * 64);
    const pointers = Array.from({ length: 8 }, () => heap.find(64));
    expect(pointers.filter((pointer) => pointer !== undefined)).to.have.lengthOf(7);
    expect(new Set(pointers)).to.have.lengthOf(8);
    for (const pointer of pointers) if (pointer !== undefined) heap.release(pointer);
    expect([heap.find(256), heap.find(128), heap.find(64), heap.find(64)].map((pointer) => pointer !== undefined)).to.deep.equal([true, true, true, false]);
  });

  it("never reaches past the memory, and refuses what is larger than itself", () => {
    const kernels = loadKernels(4 * megabyte);
    const heap = createHeap(kernels, 2 ** 40);
    expect(heap.capacityBytes).to.be.at.most(kernels.bytes.length - kernels.heapStart);
    expect(heap.capacityBytes).to.be.above(4 * megabyte * 0.9);
    for (const bytes of [4 * megabyte, 2 ** 31, 2 ** 32, 2 ** 33, 2 ** 50]) expect(heap.find(bytes)).to.equal(undefined);
    expect(heap.usedBytes).to.equal(0);
  });

  it("reaches past 2 GB", () => {
    const heap = createHeap(loadKernels(2 ** 32), 2 ** 32);
    const first = heap.find(2 ** 31)!, second = heap.find(2 ** 30)!, third = heap.find(2 ** 20)!;
    expect(second).to.be.at.least(2 ** 31);
    expect(third).to.be.at.least(2 ** 31);
    for (const pointer of [second, first, third]) heap.release(pointer);
    expect(heap.find(2 ** 31)).to.equal(first);
  });

  it("throws on a pointer that is not in use", () => {
    const heap = createHeap(loadKernels(megabyte), megabyte / 2);
    const pointer = heap.find(128)!;
    expect(() => { heap.release(pointer + 64); }).to.throw(Error, "no block in use");
    heap.release(pointer);
    expect(() => { heap.release(pointer); }).to.throw(Error, "no block in use");
  });
});
