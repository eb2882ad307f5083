import { useState } from "react";
import { useSystemQuery } from "@/api/queries";
import type { System } from "@/api/types";
import { percent } from "@/lib/format";
import { languageNames } from "@/lib/languages";
import { Button } from "@/ui/Button";
import { Modal } from "@/ui/Drawer";
import { Command } from "@/ui/states";

/** The minimum share of posts without a sentiment in the last 24 hours, in percent, for which the notice is shown. */
const WORTH_SAYING = 1;
/** A model for short posts in many languages. */
const MODEL = "cardiffnlp/twitter-xlm-roberta-base-sentiment";
const PULL = `sentistream models pull ${MODEL}`;

type Language = NonNullable<System["unscored"]>["languages"][number];

/** Shows the share of posts without a sentiment, their languages, and how to score them. */
export function UnscoredNotice() {
  const [open, setOpen] = useState(false);
  const system = useSystemQuery().data;
  const unscored = system?.unscored;
  if (!unscored || unscored.unscored_count === 0 || unscored.percentage < WORTH_SAYING) return null;
  const routed = new Set(system.model.routes.flatMap(({ languages }) => languages));
  const missing = unscored.languages.filter(({ lang }) => !routed.has(lang));
  return (
    <div
      role="note"
      className="card mb-4 flex flex-wrap items-center gap-x-3 gap-y-1 py-1.5 pr-1.5 pl-4 text-sm"
    >
      <p className="min-w-48 flex-1 py-1">
        {percent(unscored.percentage)} of the posts of the last 24 hours have no sentiment:{" "}
        {missing.length > 0
          ? `the model does not know ${languageNames(missing)}.`
          : `the model for ${languageNames(unscored.languages)} has not analysed them yet.`}
      </p>
      {missing.length > 0 && (
        <>
          <Button onClick={() => setOpen(true)}>Add a model</Button>
          <Modal title="Add a model" open={open} onClose={() => setOpen(false)}>
            <AddModel languages={missing} />
          </Modal>
        </>
      )}
    </div>
  );
}

function AddModel({ languages }: { languages: readonly Language[] }) {
  return (
    <div className="flex flex-col gap-3 text-sm">
      <p className="text-quiet">
        Download a multilingual model (1.1 GB). <code>sentistream models list</code> shows others.
      </p>
      <Command>{PULL}</Command>
      <p className="text-quiet">Add this route to the configuration file and restart SentiStream:</p>
      <Command>{route(languages)}</Command>
      <p className="text-quiet">
        Posts in other languages still use the current model. After the restart, stored posts in these
        languages are analysed too.
      </p>
    </div>
  );
}

/** The setting that sends posts in these languages to the model. */
function route(languages: readonly Language[]): string {
  const codes = languages.filter(({ lang }) => lang !== "other").map(({ lang }) => `"${lang}"`);
  return `[[inference.routes]]\nlanguages = [${codes.join(", ")}]\nmodel = "hf:${MODEL}"`;
}
