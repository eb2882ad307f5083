import { describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", { location: { origin: "http://localhost" } });

const { ApiError } = await import("./client");
const { problemText } = await import("./problemText");

describe("problem text", () => {
  it.each([400, 404, 409, 412, 418, 422, 429, 500, 503])(
    "title of the server is not shown for %d",
    (status) => {
      const { title, advice } = problemText(new ApiError(status, "Unprocessable Entity", ""));
      expect(`${title} ${advice}`).not.toContain("Unprocessable");
      expect(advice).not.toBe("");
    },
  );

  it("field errors become sentences", () => {
    const error = new ApiError(422, "Unprocessable Entity", "limit: too large", null, [
      { field: "limit", message: "must be at most 500" },
    ]);
    expect(problemText(error)).toEqual({ title: "Check your input", advice: "Must be at most 500." });
  });

  it("error of a missing scope names who may do this", () => {
    const error = new ApiError(403, "Forbidden", "the token lacks the scope admin");
    expect(problemText(error).advice).toMatch(/^Only .*administrators? can do this\.$/i);
  });
});
