import { describe, expect, it } from "vitest";
import { actionWords, targetName } from "./actionWords";

describe("audit log", () => {
  it.each([
    ["DELETE /api/posts/{post_id}", "Deleted post"],
    ["PUT /api/alerts/rules/{id}", "Changed alert rule"],
    ["POST /api/sources/{name}/pause", "Paused source"],
    ["GET /api/users", "Read users"],
    ["POST /api/session", "Signed in"],
    ["POST /api/users/{id}/invitation", "Created an invitation link for user"],
    ["PATCH /api/unknown", "PATCH /api/unknown"],
    ["BREW /api/posts", "BREW /api/posts"],
  ])("%s is shown as %s", (action, words) => {
    expect(actionWords(action)).toBe(words);
  });

  it("name of an object is decoded from its path", () => {
    expect(targetName("DELETE /api/posts/{post_id}", "/api/posts/a%2Fb")).toBe("a/b");
    expect(targetName("DELETE /api/posts/{post_id}", "/api/posts/100%")).toBe("100%");
    expect(targetName("POST /api/tokens", "/api/tokens")).toBeUndefined();
  });
});
