/** Plays the seeds that `scripts/sim.ts` hands to it, one after the other. @module */
/// <reference lib="deno.worker" />
import { playSeed, type SeedAsk } from "./sim_seed.ts";

declare const self: DedicatedWorkerGlobalScope;

self.onmessage = ({ data }: MessageEvent<SeedAsk>) => self.postMessage(playSeed(data));
