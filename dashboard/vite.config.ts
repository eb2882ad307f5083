import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const server = process.env.SENTISTREAM_URL ?? "http://127.0.0.1:8000";

/** The content security policy of the binary, so that previews reveal violations. */
function binaryPolicy(): string {
  const source = readFileSync(new URL("../src/http/observe.rs", import.meta.url), "utf8");
  const [, literal] = /const CONTENT_SECURITY_POLICY: &str = "([^"]*)";/.exec(source) ?? [];
  if (!literal) throw new Error("src/http/observe.rs has no CONTENT_SECURITY_POLICY");
  // A backslash at the end of a line joins it with the next one in Rust.
  return literal.replace(/\\\n\s*/g, "");
}

/**
 * Gives the theme script of `index.html`, which blocks rendering, a name with a hash of its content, so that browsers
 * need not ask for it again.
 */
function hashedTheme(): Plugin {
  const source = readFileSync(new URL("./src/theme.js", import.meta.url), "utf8");
  const hash = createHash("sha256").update(source).digest("base64url").slice(0, 8);
  const fileName = `assets/theme-${hash}.js`;
  return {
    name: "hashed-theme",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "asset", fileName, source });
    },
    transformIndexHtml: (html) => html.replace("/src/theme.js", `/${fileName}`),
  };
}

// The proxy keeps Host and Origin, because the server compares them.
const proxy = { "/api": { target: server }, "/ws": { target: server, ws: true } };

export default defineConfig(({ isPreview }) => ({
  plugins: [react(), tailwindcss(), hashedTheme()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy },
  preview: { proxy, headers: isPreview ? { "Content-Security-Policy": binaryPolicy() } : {} },
  test: {
    restoreMocks: true,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { TZ: "Europe/Zurich" },
    projects: [
      { extends: true, test: { name: "logic", include: ["src/**/*.test.ts"], environment: "node" } },
      {
        extends: true,
        test: {
          name: "components",
          include: ["src/**/*.test.tsx"],
          environment: "jsdom",
          setupFiles: ["src/testing/setup.ts"],
        },
      },
    ],
    coverage: {
      include: ["src/**/*.{ts,tsx}"],
      exclude: ["src/testing/**", "src/**/*.test.*", "src/main.tsx"],
    },
  },
}));
