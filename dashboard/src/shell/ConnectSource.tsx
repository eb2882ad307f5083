import { useState } from "react";
import { SelectInput } from "@/ui/SelectInput";
import { Command } from "@/ui/states";
import { SOURCE_GUIDES } from "./sourceGuides";

const OPTIONS = SOURCE_GUIDES.map(({ key, name }) => ({ value: key, label: name }));

/** Explains how to connect a source, optionally for posts about a subject. */
export function ConnectSource({ subject }: { subject?: string }) {
  const [key, setKey] = useState("bluesky");
  const guide = SOURCE_GUIDES.find((one) => one.key === key);
  if (!guide) return null;
  return (
    <div className="flex flex-col gap-3 text-sm">
      <fieldset className="hidden flex-wrap gap-1 sm:flex" aria-label="Kind of source">
        {OPTIONS.map(({ value, label }) => (
          <button
            key={value}
            type="button"
            aria-pressed={value === key}
            onClick={() => setKey(value)}
            className="rounded-md border border-border px-2.5 py-1.5 text-quiet transition-colors duration-150 hover:text-text aria-pressed:border-strong aria-pressed:bg-raised aria-pressed:font-medium aria-pressed:text-text"
          >
            {label}
          </button>
        ))}
      </fieldset>
      <SelectInput
        aria-label="Kind of source"
        className="sm:hidden"
        value={key}
        options={OPTIONS}
        onChange={setKey}
      />
      <p className="text-quiet">{guide.about}</p>
      <Command>{guide.command(subject)}</Command>
      <p className="text-quiet">
        {key === "http" || key === "file"
          ? "Posts appear here within seconds."
          : "Restart SentiStream with this command, or put the settings into sentistream.toml. Several sources can run at once."}{" "}
        All settings are described in <code>config/default.toml</code>, and the API in{" "}
        <a href="/api/docs" className="text-text underline underline-offset-2">
          its documentation
        </a>
        .
      </p>
    </div>
  );
}
