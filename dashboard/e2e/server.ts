import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PreviewServer, preview } from "vite";

const READY_MS = 120_000;
const STOP_MS = 20_000;

/** The binary in a temporary folder, without sources by default. */
export class Server {
  private child: ChildProcess | undefined;
  private front: PreviewServer | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), "sentistream-e2e-"));
  private port = 0;
  private log = "";

  /** The base URL of the API. */
  get api(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The URL of the dashboard: the binary, or a preview of `dist` when SENTISTREAM_PREVIEW is set. */
  get page(): string {
    return this.front?.resolvedUrls?.local[0]?.replace(/\/$/, "") ?? this.api;
  }

  constructor(private readonly settings: readonly string[] = []) {}

  async start(): Promise<void> {
    const binary = process.env.SENTISTREAM_BIN;
    if (!binary) throw new Error("set SENTISTREAM_BIN to the sentistream binary to test");
    this.port ||= await freePort();
    const settings = ["ingester.sources=[]", ...this.settings, `server.listen=["127.0.0.1:${this.port}"]`];
    const child = spawn(
      binary,
      settings.flatMap((setting) => ["--set", setting]),
      {
        cwd: this.folder,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.child = child;
    const keep = (chunk: Buffer) => {
      this.log = (this.log + chunk.toString()).slice(-20_000);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    await until(READY_MS, async () => {
      if (child.exitCode !== null) throw new Error(`the server exited:\n${this.log}`);
      const answer = await this.call("/readyz").catch(() => null);
      return answer?.ok ?? false;
    });
    if (process.env.SENTISTREAM_PREVIEW && !this.front) await this.startFront();
  }

  async stop(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Runs a command of the binary in the folder of the server, and returns its output. */
  command(...args: string[]): string {
    const settings = this.settings.flatMap((setting) => ["--set", setting]);
    return execFileSync(process.env.SENTISTREAM_BIN ?? "", [...args, ...settings], {
      cwd: this.folder,
    }).toString();
  }

  /** Runs SQL on the database file of the running server. Needs the `sqlite3` command. */
  sql(text: string): void {
    execFileSync("sqlite3", [
      join(this.folder, "data/sentistream.db"),
      `PRAGMA busy_timeout = 30000; ${text}`,
    ]);
  }

  async end(): Promise<void> {
    await this.front?.close();
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends posts to the API and waits until each is analysed. */
  async post(
    ...posts: { post_id: string; content: string; source?: string; author?: string; created_at?: string }[]
  ) {
    const body = posts.map((post) => ({ source: "web", ...post }));
    const answer = await this.call("/api/posts", { method: "POST", body: JSON.stringify(body) });
    if (answer.status !== 202) throw new Error(`posts were not accepted: ${await answer.text()}`);
    for (const { post_id } of posts) await this.analysed(post_id);
  }

  /** Waits until a post is analysed. */
  analysed(id: string): Promise<void> {
    return until(60_000, async () => (await this.call(`/api/posts/${encodeURIComponent(id)}`)).ok);
  }

  call(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.api}${path}`, {
      ...init,
      // The server closes idle connections, so a pooled connection may fail.
      headers: { "content-type": "application/json", connection: "close", ...init.headers },
    });
  }

  private async startFront(): Promise<void> {
    const target = this.api;
    this.front = await preview({
      // Some journeys break the connection.
      logLevel: "silent",
      preview: {
        port: 0,
        host: "127.0.0.1",
        proxy: { "/api": { target }, "/ws": { target, ws: true } },
      },
    });
  }
}

/** Waits for a condition for at most `milliseconds`. */
export async function until(milliseconds: number, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`the condition was not met within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A port below the ephemeral range, so that it stays free while the server restarts. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
