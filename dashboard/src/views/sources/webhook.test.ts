import { describe, expect, it } from "vitest";
import { exampleOf, randomSecret, SAMPLE } from "./webhook";

const example = { address: "https://a.example/api/hooks/shop", signature: "sha256", header: "", sample: "" };

describe("example of a webhook", () => {
  it("each form of signature uses its own header", () => {
    expect(exampleOf(example)).toContain('-H "X-Hub-Signature-256: sha256=$CODE"');
    expect(exampleOf({ ...example, header: "X-Sig" })).toContain('-H "X-Sig: sha256=$CODE"');
    expect(exampleOf({ ...example, signature: "stripe" })).toContain('"Stripe-Signature: t=$TIME,v1=$CODE"');
    const standard = exampleOf({ ...example, signature: "standard", header: "svix-signature" });
    for (const header of ["svix-id: ", "svix-timestamp: $TIME", "svix-signature: v1,$CODE"]) {
      expect(standard).toContain(header);
    }
  });

  it("body is the sample if a shell can quote it", () => {
    expect(exampleOf({ ...example, sample: '{"a":\n 1}' })).toContain(`BODY='{"a":1}'`);
    for (const sample of ["", "{", `"it's"`, JSON.stringify("x".repeat(500))]) {
      expect(exampleOf({ ...example, sample })).toContain(`BODY='${SAMPLE}'`);
    }
  });

  it("random secret has 32 bytes", () => {
    expect(randomSecret("sha256")).toMatch(/^[0-9a-f]{64}$/);
    expect(atob(randomSecret("standard").replace("whsec_", ""))).toHaveLength(32);
  });
});
