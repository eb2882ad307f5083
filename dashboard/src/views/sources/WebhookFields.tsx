import { useState } from "react";
import { Button } from "@/ui/Button";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { Command } from "@/ui/states";
import type { Values } from "./values";
import { addressOf, exampleOf, randomSecret, SAMPLE } from "./webhook";

interface WebhookFieldsProps {
  /** The name of the source, which is part of the address. */
  name: string;
  values: Values;
  sample: string;
  error: unknown;
  onSample: (sample: string) => void;
  onSecret: (secret: string) => void;
}

/** The address of a webhook, a sample request for the test, and a command that sends a request. */
export function WebhookFields({ name, values, sample, error, onSample, onSecret }: WebhookFieldsProps) {
  const [secret, setSecret] = useState<string | null>(null);
  const text = (key: string) => String(values[key] ?? "");
  const example = exampleOf({
    address: addressOf(name),
    signature: text("signature"),
    header: text("signature_header"),
    sample,
  });
  const generate = () => {
    const generated = randomSecret(text("signature"));
    setSecret(generated);
    onSecret(generated);
  };
  return (
    <>
      <div className="flex flex-col items-start gap-2 text-sm">
        <Button onClick={generate}>Generate a secret</Button>
        {secret !== null && secret === values.secret && (
          <>
            <p className="text-xs text-quiet">Copy the secret now. It is not shown again.</p>
            <Command>{secret}</Command>
          </>
        )}
      </div>
      <section aria-label="Address" className="flex flex-col gap-2 text-sm">
        <h3 className="font-medium">Address</h3>
        <p className="text-xs text-quiet">
          Enter this address in the program that sends the posts. Requests need a signature, but no token.
        </p>
        <Command>{addressOf(name)}</Command>
        <details>
          <summary className="cursor-pointer py-1 text-quiet hover:text-text">
            Send a request with curl
          </summary>
          <Command>{example}</Command>
        </details>
      </section>
      <Field
        label="Sample of a request"
        hint="Paste the JSON of a request and click Test to see its posts. The sample is not saved."
        error={fieldError(error, "sample")}
      >
        {(ids) => (
          <textarea
            {...ids}
            value={sample}
            rows={4}
            spellCheck={false}
            placeholder={SAMPLE}
            onChange={(event) => onSample(event.target.value)}
            className={`${inputClass} h-auto py-1.5 font-mono`}
          />
        )}
      </Field>
    </>
  );
}
