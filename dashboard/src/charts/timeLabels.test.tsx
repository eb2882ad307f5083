import { render, screen } from "@testing-library/react";
import { LineChart } from "recharts";
import { expect, it } from "vitest";
import { HOUR } from "@/lib/range";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { TimeAxis } from "./Axes";

const { state } = serve();
const EVENING = Date.parse("2026-03-10T21:10:00Z");

/** A 12-hour time whose space does not break the line. The default locale of the tests is English. */
const UNBROKEN = /\d\d\u00A0PM/;
const BROKEN = /\d\d[ \n][AP]M/;

it("12-hour times of the range bar do not wrap", async () => {
  open(`/?from=${iso(EVENING)}&to=${iso(EVENING + 4 * HOUR)}`);
  const { textContent } = await screen.findByRole("button", { name: /^More ranges: / });
  expect(textContent).toMatch(UNBROKEN);
  expect(textContent).not.toMatch(BROKEN);
});

it("12-hour times of the axis do not wrap", () => {
  const [first, last] = [EVENING - 6 * HOUR, EVENING];
  // The width leaves room for all ticks, because a text in these tests is 800 pixels wide.
  const { container } = render(
    <LineChart width={10_000} height={300} data={[{ time: first }, { time: last }]}>
      <TimeAxis first={first} last={last} />
    </LineChart>,
  );
  const ticks = [...container.querySelectorAll(".recharts-cartesian-axis-tick-value")];
  expect(ticks.length).toBeGreaterThan(1);
  for (const tick of ticks) {
    expect(tick.textContent).toMatch(UNBROKEN);
    expect(tick.querySelectorAll("tspan")).toHaveLength(1);
  }
});

it("12-hour times of a list do not wrap", async () => {
  state.world.notify.silences.push({
    id: 1,
    version: 1,
    provisioned: false,
    created_at: iso(EVENING),
    updated_at: iso(EVENING),
    matchers: [{ label: "source", op: "=", value: "rss" }],
    starts_at: iso(EVENING),
    ends_at: iso(EVENING + 4 * HOUR),
    author: "ada",
    comment: "planned work",
    state: "expired",
  });
  open("/alerts/silences");
  const row = (await screen.findByText("planned work")).closest("li");
  expect(row?.textContent).toMatch(UNBROKEN);
  expect(row?.textContent).not.toMatch(BROKEN);
});
