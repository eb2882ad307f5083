import { useState } from "react";
import { type SettingList, useSettingsQuery } from "@/api/settings";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { AdminOnly } from "@/shell/AdminOnly";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Choice } from "@/ui/Choice";
import { Modal } from "@/ui/Drawer";
import { inputClass } from "@/ui/Input";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { SettingsTabs } from "../settings/SettingsTabs";
import { SettingForm } from "./SettingForm";
import { SettingRow } from "./SettingRow";
import { grouped, type Which } from "./values";

/** The current settings with their meaning and origin. Some can be changed at run time. */
export function Configuration() {
  return (
    <AdminOnly>
      <SettingsTabs />
      <Loaded />
    </AdminOnly>
  );
}

function Loaded() {
  const query = useSettingsQuery();
  if (query.data) return <Settings list={query.data} />;
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return <SkeletonRows />;
}

const WHICH: readonly { value: Which; label: string }[] = [
  { value: "all", label: "All" },
  { value: "changed", label: "Changed" },
  { value: "editable", label: "Editable" },
];

function Settings({ list }: { list: SettingList }) {
  const [words, setWords] = useState("");
  const [which, setWhich] = useState<Which>("all");
  const [edited, setEdited] = useState<string | null>(null);
  const now = useNow(30_000);
  const groups = grouped(list, { words, which });
  const shown = groups.reduce((sum, { settings }) => sum + settings.length, 0);
  const setting = list.settings.find(({ key }) => key === edited);
  return (
    <>
      <search className="mb-4 flex flex-wrap items-center gap-2">
        <input
          type="search"
          aria-label="Search settings"
          placeholder="Search settings"
          value={words}
          maxLength={200}
          onChange={(event) => setWords(event.target.value)}
          className={`${inputClass} sm:w-72`}
        />
        <Choice label="Settings to show" value={which} options={WHICH} onChange={setWhich} />
        <p role="status" className="tabular text-sm text-quiet">
          {plural(shown, "setting")}
        </p>
      </search>
      {groups.length === 0 ? (
        <EmptyState title="No matching settings">
          <Button
            onClick={() => {
              setWords("");
              setWhich("all");
            }}
          >
            Clear filters
          </Button>
        </EmptyState>
      ) : (
        <div className="flex flex-col gap-4">
          {groups.map(({ section, settings }) => (
            <Card key={section.name} title={section.name || "general"}>
              {section.help && (
                <p className="mb-3 max-w-[90ch] text-sm text-quiet [overflow-wrap:anywhere]">
                  {section.help}
                </p>
              )}
              <ul className="-mx-4 -mb-4 border-t border-border text-sm">
                {settings.map((item) => (
                  <SettingRow key={item.key} setting={item} now={now} onEdit={() => setEdited(item.key)} />
                ))}
              </ul>
            </Card>
          ))}
        </div>
      )}
      <Modal title={edited ?? ""} open={edited !== null} onClose={() => setEdited(null)}>
        {setting && <SettingForm setting={setting} onDone={() => setEdited(null)} />}
      </Modal>
    </>
  );
}
