import { fileURLToPath } from "node:url";
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "e2e",
  fullyParallel: false,
  workers: 1,
  // Generous for slow machines. Only failing tests take this long.
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: "list",
  use: {
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
    locale: "en-GB",
    timezoneId: "Europe/Zurich",
  },
  projects: [
    { name: "journeys", testMatch: /journeys\/.*\.spec\.ts/ },
    { name: "budgets", testMatch: /budgets\.spec\.ts/ },
    { name: "screens", testMatch: /screens\.spec\.ts/ },
  ],
  tsconfig: fileURLToPath(new URL("./tsconfig.json", import.meta.url)),
});
