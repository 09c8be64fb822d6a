/**
 * A node of pentad on a host of the lab: its settings, its start at boot, and its API.
 *
 * @module
 */
import type { LabHost } from "../../scripts/lab/host.ts";
import type { Lab } from "../../scripts/lab/lab.ts";
import type { StatusDocument } from "../../mod/node/view.ts";

/** Where every host finds the LUN. */
export const LUN = "/dev/sda";
const SOCKET = "/run/pentad/api.sock";
/** An answer of the API takes less, on a host that is on and not frozen. */
const ANSWER_SECONDS = 15;

/** See the module's note. */
export class LabNode {
  readonly host: LabHost;
  readonly #lab: Lab;
  #http: Deno.HttpClient | null = null;

  constructor(lab: Lab, number: number) {
    this.#lab = lab;
    this.host = lab.host(number);
  }

  get name(): string {
    return this.host.name;
  }

  /** What its daemon and its boot printed, of all its lives. */
  log(): string {
    try {
      return Deno.readTextFileSync(`${this.#lab.share}/${this.name}.log`);
    } catch {
      return "";
    }
  }

  /** Puts its settings in place, and all that starts it whenever the host boots. */
  async install(): Promise<void> {
    const address = `10.77.1.${this.name.slice(1)}`;
    const settings = {
      name: this.name,
      state: "/disk/pentad",
      links: [`${address}:5405`],
      peer: `${address}:5406`,
      disks: [LUN],
      mount: "off",
      backup: { when: "off" },
    };
    const place = `${this.#lab.share}/${this.name}`;
    await Deno.writeTextFile(`${place}.json`, JSON.stringify(settings));
    const command = (await this.#lab.pentad()).join(" ");
    const boot = [
      "#!/bin/bash",
      `exec >> /lab/${this.name}.log 2>&1`,
      `until [ "$(/lab/login.sh lio h3)" = ${LUN} ]; do sleep 0.5; done`,
      `exec ${command} daemon --settings /lab/${this.name}.json`,
    ];
    await Deno.writeTextFile(`${place}.boot`, `${boot.join("\n")}\n`);
    await this.host.must(`cp /lab/${this.name}.boot /disk/boot.sh && chmod +x /disk/boot.sh`);
  }

  /** Starts it without a boot. */
  async start(): Promise<void> {
    await this.host.must("setsid /disk/boot.sh < /dev/null > /dev/null 2>&1 &");
  }

  /** Power on, with the node. */
  async boot(): Promise<void> {
    this.hangUp();
    await this.host.boot();
  }

  /** One request to its API; throws where there is no answer within `seconds`. */
  async api(
    method: string,
    path: string,
    body?: unknown,
    seconds = ANSWER_SECONDS,
  ): Promise<Response> {
    try {
      this.#http ??= Deno.createHttpClient({
        proxy: { transport: "unix", path: await this.host.forward(SOCKET) },
      });
      // Text is the content of a new file.
      const file = typeof body === "string";
      const text = file ? body : JSON.stringify(body);
      const type: Record<string, string> = file
        ? { "If-None-Match": "*" }
        : { "Content-Type": "application/json" };
      const response = await fetch(`http://127.0.0.1${path}`, {
        ...{ method, client: this.#http, signal: AbortSignal.timeout(seconds * 1000) },
        ...(body === undefined ? {} : { body: text, headers: type }),
      });
      return new Response(await response.arrayBuffer() || null, response);
    } catch (error) {
      // What it keeps open leads to a daemon that is gone.
      this.hangUp();
      throw error;
    }
  }

  /** A request that must be granted; what it answers. */
  // deno-lint-ignore no-explicit-any -- whatever document that path has
  async ask(method: string, path: string, body?: unknown, seconds?: number): Promise<any> {
    const response = await this.api(method, path, body, seconds);
    const text = await response.text();
    if (response.ok) return text === "" ? null : JSON.parse(text);
    throw new Error(`${this.name}: ${method} ${path}: ${response.status} ${text}`);
  }

  /** Its status document, or null where nobody answers. */
  async status(): Promise<StatusDocument | null> {
    if (this.host.pid() === null) return null;
    try {
      return await this.ask("GET", "/v1/status") as StatusDocument;
    } catch {
      return null;
    }
  }

  /** Waits until its status satisfies `wanted`; throws with the last status after `seconds`. */
  async until(
    what: string,
    wanted: (status: StatusDocument) => boolean,
    seconds = 60,
  ): Promise<StatusDocument> {
    const end = performance.now() + seconds * 1000;
    for (let status = await this.status();; status = await this.status()) {
      if (status !== null && wanted(status)) return status;
      if (performance.now() > end) {
        const { host: { name } } = this;
        const last = JSON.stringify(status, null, 1);
        throw new Error(`${name}: not in ${seconds} s: ${what}\n${last}\n${await this.events()}`);
      }
      await new Promise((wake) => setTimeout(wake, 200));
    }
  }

  /** The conversation of its present life, for who has to find out. */
  async events(): Promise<string> {
    try {
      const text = await (await this.api("GET", "/v1/events?follow=false")).text();
      return text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => {
        const { at, stream, text } = JSON.parse(line.slice(6));
        return `${at} ${this.name} ${stream} ${text}`;
      }).join("\n");
    } catch (error) {
      return `${this.name} tells nothing: ${error}\n${this.log()}`;
    }
  }

  /** Closes the connections to its API. */
  hangUp(): void {
    this.#http?.close();
    this.#http = null;
  }
}
