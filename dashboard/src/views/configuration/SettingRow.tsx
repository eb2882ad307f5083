import { Pencil, Undo2 } from "lucide-react";
import { keys } from "@/api/keys";
import { asSentence } from "@/api/problemText";
import { changeSetting, type Setting } from "@/api/settings";
import { ago, exact } from "@/lib/format";
import { Button } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";
import { nameOf, originText, valueText } from "./values";

interface SettingRowProps {
  setting: Setting;
  now: number;
  onEdit: () => void;
}

/** A setting: its name and meaning, its value and origin, and the actions on it. */
export function SettingRow({ setting, now, onEdit }: SettingRowProps) {
  const { key, help, stored } = setting;
  return (
    <li
      id={key}
      className="grid grid-cols-1 gap-x-6 gap-y-2 border-b border-border px-4 py-3 last:border-b-0 lg:grid-cols-[minmax(0,1fr)_minmax(0,22rem)]"
    >
      <div className="min-w-0">
        <p className="font-mono text-xs font-medium [overflow-wrap:anywhere]" title={key}>
          {nameOf(key)}
        </p>
        <p className="mt-1 max-w-[80ch] text-quiet [overflow-wrap:anywhere]">{help}</p>
      </div>
      <div className="flex min-w-0 flex-col gap-1.5">
        <p
          className={`tabular line-clamp-3 font-mono text-xs [overflow-wrap:anywhere] ${setting.value === "" ? "text-quiet" : ""}`}
          title={valueText(setting.value)}
        >
          {valueText(setting.value)}
        </p>
        <p className="text-xs text-quiet [overflow-wrap:anywhere]">
          {originText(setting.origin)}
          {setting.origin.layer === "database" && stored && (
            <>
              {" by "}
              <bdi>{stored.changed_by}</bdi>,{" "}
              <span title={exact(stored.changed_at)}>{ago(stored.changed_at, now)}</span>
            </>
          )}
        </p>
        {stored?.ignored && (
          <p role="note" className="text-xs [overflow-wrap:anywhere]">
            ▼ The saved value is not used. {asSentence(`it ${stored.ignored}`)}
          </p>
        )}
        {setting.editable && <Actions setting={setting} onEdit={onEdit} />}
      </div>
    </li>
  );
}

function Actions({ setting, onEdit }: { setting: Setting; onEdit: () => void }) {
  const { stored } = setting;
  const previous = stored?.previous ?? null;
  const undo = useChange(() => changeSetting(setting, previous), [keys.settings.all]);
  return (
    <div className="flex flex-wrap gap-2">
      <Button onClick={onEdit} aria-label={`Edit ${setting.key}`}>
        <Pencil size={14} aria-hidden="true" />
        Edit
      </Button>
      {stored && (stored.value ?? null) !== previous && (
        <Button
          onClick={() => undo.mutate()}
          disabled={undo.isPending}
          aria-label={`Undo the last change of ${setting.key}`}
          title={`Back to ${valueText(previous ?? setting.default)}`}
        >
          <Undo2 size={14} aria-hidden="true" />
          Undo
        </Button>
      )}
      <FailureNote error={undo.error} />
    </div>
  );
}
