/**
 * A program that is nothing but a disk worker: what the tests start as "this very program".
 *
 * @module
 */
import { diskWorker } from "../../mod/host/linux/disk_worker.ts";

await diskWorker();
