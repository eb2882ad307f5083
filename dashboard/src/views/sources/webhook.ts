/** Sample requests and commands for the form of a webhook. */

/** The body of a request with the default settings. */
export const SAMPLE = '{"text": "I love it", "author": "ada"}';
/** The maximum length of a sample, in characters, that an example repeats. */
const MAX_EXAMPLE = 400;

export interface Example {
  address: string;
  /** The form of the signature: `sha256`, `stripe` or `standard`. */
  signature: string;
  /** The header with the signature. Empty means the default header of the form. */
  header: string;
  /** The body of the request. */
  sample: string;
}

/** The address that receives the requests of the source `name`. */
export function addressOf(name: string): string {
  return `${window.location.origin}/api/hooks/${name}`;
}

/** Shell commands that send a request with a valid signature. */
export function exampleOf({ address, signature, header, sample }: Example): string {
  const body = oneLine(sample);
  const start = ["SECRET='the secret'", `BODY='${body}'`];
  const send = `curl ${address} -H 'Content-Type: application/json'`;
  const end = `--data-binary "$BODY"`;
  switch (signature) {
    case "stripe":
      return [
        ...start,
        "TIME=$(date +%s)",
        `CODE=$(printf %s "$TIME.$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //')`,
        `${send} -H "${header || "Stripe-Signature"}: t=$TIME,v1=$CODE" ${end}`,
      ].join("\n");
    case "standard": {
      const stem = (header || "webhook-signature").replace(/-signature$/i, "");
      return [
        ...start,
        "TIME=$(date +%s)",
        `KEY=$(printf %s "\${SECRET#whsec_}" | base64 -d | od -An -vtx1 | tr -d ' \\n')`,
        `CODE=$(printf %s "example.$TIME.$BODY" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$KEY -binary | base64)`,
        `${send} -H "${stem}-id: example" -H "${stem}-timestamp: $TIME" -H "${header || "webhook-signature"}: v1,$CODE" ${end}`,
      ].join("\n");
    }
    default:
      return [
        ...start,
        `CODE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //')`,
        `${send} -H "${header || "X-Hub-Signature-256"}: sha256=$CODE" ${end}`,
      ].join("\n");
  }
}

/** The sample as one line of JSON. `SAMPLE` replaces text that is not JSON, is too long or has a single quote. */
function oneLine(sample: string): string {
  try {
    const line = JSON.stringify(JSON.parse(sample));
    return line.length <= MAX_EXAMPLE && !line.includes("'") ? line : SAMPLE;
  } catch {
    return SAMPLE;
  }
}

/** A random secret, in the form that the signature needs. */
export function randomSecret(signature: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  if (signature === "standard") return `whsec_${btoa(String.fromCharCode(...bytes))}`;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
