import { useState } from "react";
import { useSystemQuery } from "@/api/queries";
import { percent } from "@/lib/format";
import { languageNames } from "@/lib/languages";
import { Button } from "@/ui/Button";
import { Modal } from "@/ui/Drawer";
import { Command } from "@/ui/states";

/** The minimum share of the posts of a day, in percent, for which the notice is shown. */
const WORTH_SAYING = 1;
const COMMAND = "sentistream --set inference.model=hf:cardiffnlp/twitter-xlm-roberta-base-sentiment";

/** Shows the share of posts without a sentiment, their languages, and how to score them. */
export function UnscoredNotice() {
  const [open, setOpen] = useState(false);
  const unscored = useSystemQuery().data?.unscored;
  if (!unscored || unscored.unscored_count === 0 || unscored.percentage < WORTH_SAYING) return null;
  return (
    <div
      role="note"
      className="card mb-4 flex flex-wrap items-center gap-x-3 gap-y-1 py-1.5 pr-1.5 pl-4 text-sm"
    >
      <p className="min-w-48 flex-1 py-1">
        {percent(unscored.percentage)} of the posts of the last 24 hours have no sentiment: the model does not
        know {languageNames(unscored.languages)}.
      </p>
      <Button onClick={() => setOpen(true)}>Add a model</Button>
      <Modal title="Add a model" open={open} onClose={() => setOpen(false)}>
        <AddModel />
      </Modal>
    </div>
  );
}

function AddModel() {
  return (
    <div className="flex flex-col gap-3 text-sm">
      <p className="text-quiet">
        Restart SentiStream with a multilingual model. It is downloaded once (1.1 GB) and judges more slowly
        than the builtin one.
      </p>
      <Command>{COMMAND}</Command>
      <p className="text-quiet">Posts that are stored already keep no sentiment.</p>
    </div>
  );
}
