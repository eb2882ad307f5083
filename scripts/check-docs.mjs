#!/usr/bin/env node
// Checks what README, docs and other pages print, against the built binary:   scripts/check-docs [BINARY]
//   links      local links and their anchors, and paths of this repository in code spans, exist
//   settings   `section.key` in code spans is a documented setting
//   toml       blocks are settings that the binary accepts
//   json       blocks parse
//   sh         commands run in a temporary folder beside a running server; `make` targets and scripts exist
// Commands that need a network, root or another program's server are counted as not run.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const binary = resolve(process.argv[2] ?? join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug/sentistream"));
const pages = execFileSync("git", ["-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], { encoding: "utf8" })
  .trim()
  .split("\n");
const tracked = new Set(
  execFileSync("git", ["-C", root, "ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" }).trim().split("\n"),
);

const problems = [];
const counts = { links: 0, paths: 0, settings: 0, blocks: 0, commands: 0, "not run": 0 };
const problem = (page, line, text) => problems.push(`${page}:${line}: ${text}`);

// GitHub's anchor of a heading.
const anchor = (heading) =>
  heading
    .replace(/`/g, "")
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replace(/ /g, "-");
const anchors = (text) => new Set([...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => anchor(match[1])));

/** The prose lines and code blocks of a page, with line numbers. */
function parse(text) {
  const prose = [];
  const blocks = [];
  let block;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = line.match(/^\s*```(\w*)/);
    if (fence && block) {
      blocks.push(block);
      block = undefined;
    } else if (fence) {
      block = { language: fence[1], line: index + 2, lines: [] };
    } else if (block) {
      block.lines.push(line);
    } else {
      prose.push({ number: index + 1, text: line });
    }
  }
  return { prose, blocks };
}

const defaults = readFileSync(join(root, "config/default.toml"), "utf8");
const documented = new Set();
let section = "";
for (const line of defaults.split("\n")) {
  const header = line.match(/^#?\s?\[{1,2}([\w.]+)\]{1,2}\s*(?:#.*)?$/);
  const key = line.match(/^#?\s?([a-z_0-9]+)\s*=/);
  if (header) {
    section = header[1];
    documented.add(section);
  } else if (key) {
    documented.add(section ? `${section}.${key[1]}` : key[1]);
  }
}
const sections = new Set([...documented].map((name) => name.split(".")[0]));
const known = (name) =>
  documented.has(name) || [...documented].some((other) => other.startsWith(`${name}.`)) || documented.has(name.replace(/\.\w+$/, ""));

function checkProse(page, prose) {
  for (const { number, text } of prose) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      counts.links++;
      const [path, hash] = target.split("#");
      const file = path ? resolve(root, dirname(page), path) : resolve(root, page);
      if (!existsSync(file)) problem(page, number, `link to ${path}, which does not exist`);
      else if (hash && file.endsWith(".md") && !anchors(readFileSync(file, "utf8")).has(hash))
        problem(page, number, `link to #${hash}, which is no heading of ${path || page}`);
    }
    for (const [, span] of text.matchAll(/`([^`]+)`/g)) {
      const path = span.match(/^((?:src|tests|benches|scripts|deploy|docs|config|migrations|assets|dashboard)\/[\w./-]*\w)(?:\/)?$/);
      if (path && !path[1].startsWith("dashboard/dist") && !path[1].startsWith("dashboard/node_modules")) {
        counts.paths++;
        if (!existsSync(join(root, path[1]))) problem(page, number, `path ${path[1]}, which does not exist`);
      }
      const setting = span.match(/^([a-z_]+(?:\.[a-z_0-9]+)+)(?:\s*=.*)?$/);
      if (setting && sections.has(setting[1].split(".")[0]) && !tracked.has(setting[1]) && !/\.(toml|rs|md|json|db)$/.test(setting[1])) {
        counts.settings++;
        if (!known(setting[1])) problem(page, number, `setting ${setting[1]}, which config/default.toml does not document`);
      }
    }
  }
}

const work = mkdtempSync(join(tmpdir(), "check-docs-"));
mkdirSync(join(work, "bin"));
symlinkSync(binary, join(work, "bin/sentistream"));
const environment = { ...process.env, PATH: `${join(work, "bin")}:${process.env.PATH}`, HF_HUB_OFFLINE: "1" };
const posts = Array.from({ length: 20 }, (_, i) => ({ post_id: `sample-${i}`, source: "web", content: `What a lovely day number ${i}`, sentiment: i % 2 ? "positive" : "neutral", text: `What a lovely day number ${i}` }));
const ndjson = `${posts.map((post) => JSON.stringify(post)).join("\n")}\n`;
for (const name of ["posts.ndjson", "labelled.ndjson", "2025.ndjson"]) writeFileSync(join(work, name), ndjson);
writeFileSync(join(work, "survey.csv"), `id,answer,source\n${posts.map((post) => `${post.post_id},${post.content},survey`).join("\n")}\n`);

const help = spawnSync(binary, ["--help"], { encoding: "utf8" }).stdout;
const subcommands = new Set([...help.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map((match) => match[1]));
const makefile = readFileSync(join(root, "Makefile"), "utf8");

let base;
function run(page, line, command) {
  counts.commands++;
  const result = spawnSync("bash", ["-c", command], { cwd: work, env: environment, encoding: "utf8", timeout: 120_000 });
  if (result.status !== 0) problem(page, line, `\`${command}\` ended with ${result.status ?? result.signal}: ${(result.stderr + result.stdout).trim().slice(-400)}`);
}

function checkCommand(page, line, text) {
  const command = text.replace(/\s+#\s.*$/, "").trim();
  if (!command || command.startsWith("#")) return;
  const words = command.split(/\s+/);
  if (words[0] === "make") {
    counts.commands++;
    for (const target of words.slice(1).filter((word) => /^[a-z-]+$/.test(word)))
      if (!new RegExp(`^\\.PHONY:.*\\b${target}\\b`, "m").test(makefile)) problem(page, line, `make ${target}, which is no target`);
    return;
  }
  const script = words.find((word) => word.startsWith("scripts/"));
  if (script) {
    counts.commands++;
    if (!existsSync(join(root, script))) problem(page, line, `${script}, which does not exist`);
    return;
  }
  if (words[0] === "curl" && base && /localhost:8000|127\.0\.0\.1:8000/.test(command)) {
    run(page, line, command.replace(/^curl/, "curl --fail-with-body -sS -o /dev/null").replace(/(localhost|127\.0\.0\.1):8000/g, base));
    return;
  }
  const own = command.match(/(?:^|\| )(sentistream(?: .*)?)$/)?.[1];
  if (!own || /\/etc\/|postgres:|redis:/.test(own)) {
    counts["not run"]++;
    return;
  }
  const subcommand = own.split(/\s+/).slice(1).find((word, index, all) => !word.startsWith("-") && !["--set", "--config", "--roles"].includes(all[index - 1]));
  if (subcommand && !subcommands.has(subcommand)) problem(page, line, `sentistream ${subcommand}, which is no command`);
  // A server is not started here: its settings are checked. What needs the Hub is parsed only.
  else if (!subcommand || subcommand === "serve") run(page, line, `${own.replace(/ serve\b/, "")} config >/dev/null`);
  else if (/^models (pull|show)|hf:|demo|health|dead-letter (show|replay|purge)|user |secrets /.test(own.replace(/^sentistream /, "")) || /hf:/.test(own)) run(page, line, `${own} --help >/dev/null`);
  else run(page, line, `${own.replace("/backup/", `${work}/`)} </dev/null >/dev/null`);
}

function checkBlock(page, { language, line, lines }) {
  counts.blocks++;
  const text = lines.join("\n");
  if (language === "json") {
    try {
      JSON.parse(text);
    } catch (error) {
      problem(page, line, `JSON: ${error.message}`);
    }
  } else if (language === "toml") {
    const file = join(work, `block-${counts.blocks}.toml`);
    writeFileSync(file, text.replace(/sha256 = "…"/g, `sha256 = "${"0".repeat(64)}"`).replace(/"…"/g, '"x"'));
    for (const [, path] of text.matchAll(/_file = "([^"]+)"/g)) {
      // Secrets live where the container or the operator puts them.
      writeFileSync(file, readFileSync(file, "utf8").replace(path, join(work, "posts.ndjson")));
    }
    run(page, line, `sentistream --config ${file} config >/dev/null`);
  } else if (language === "sh") {
    if (/^export .*:\/\//m.test(text)) {
      counts["not run"] += lines.length;
      return;
    }
    let start = line;
    let joined = "";
    for (const [index, part] of lines.entries()) {
      if (!joined) start = line + index;
      joined += part.replace(/\\$/, " ");
      if (!part.endsWith("\\")) {
        checkCommand(page, start, joined);
        joined = "";
      }
    }
  }
}

function serve() {
  const server = spawn(binary, ["--set", "server.listen=127.0.0.1:0", "serve"], { cwd: work, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((done, failed) => {
    let output = "";
    const timer = setTimeout(() => failed(new Error(`the server did not start: ${output}`)), 60_000);
    const read = (chunk) => {
      output += chunk;
      const address = output.match(/http:\/\/(127\.0\.0\.1:\d+)/);
      if (!address) return;
      clearTimeout(timer);
      done({ server, address: address[1] });
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.on("exit", (code) => failed(new Error(`the server ended with ${code}: ${output}`)));
  });
}

const { server, address } = await serve();
base = address;
server.removeAllListeners("exit");
try {
  for (const page of pages) {
    const { prose, blocks } = parse(readFileSync(join(root, page), "utf8"));
    checkProse(page, prose);
    for (const block of blocks) checkBlock(page, block);
  }
} finally {
  const ended = new Promise((done) => server.once("exit", done));
  server.kill("SIGTERM");
  await ended;
  rmSync(work, { recursive: true, force: true });
}
for (const text of problems) console.error(text);
console.log(`${pages.length} pages: ${Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ")}; ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
