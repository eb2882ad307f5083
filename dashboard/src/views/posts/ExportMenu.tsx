import { Menu } from "@base-ui/react/menu";
import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { type ExportFormat, exportUrl, getExport, type PostsQuery } from "@/api/endpoints";
import { readToken } from "@/api/session";
import { buttonClass } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { menuItemClass, popupClass } from "@/ui/popup";

const FORMATS = [
  { format: "csv", label: "CSV, for spreadsheets" },
  { format: "ndjson", label: "NDJSON, one post per line" },
] as const;

/** Downloads all posts that match the filter. */
export function ExportMenu({ query }: { query: PostsQuery }) {
  const download = useMutation({ mutationFn: (format: ExportFormat) => save(format, query) });
  return (
    <>
      <FailureNote error={download.error} />
      <Menu.Root modal={false}>
        <Menu.Trigger className={buttonClass()} disabled={download.isPending}>
          <Download size={14} aria-hidden="true" />
          {download.isPending ? "Exporting" : "Export"}
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner align="end" sideOffset={6} className="z-50">
            <Menu.Popup className={popupClass}>
              {FORMATS.map(({ format, label }) => (
                <Menu.Item key={format} className={menuItemClass} onClick={() => download.mutate(format)}>
                  {label}
                </Menu.Item>
              ))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
    </>
  );
}

/** Downloads the posts. With a token they are read into memory, because a browser download sends no token. */
async function save(format: ExportFormat, query: PostsQuery): Promise<void> {
  if (!readToken()) return follow(exportUrl(format, query), format);
  const url = URL.createObjectURL(await getExport(format, query));
  follow(url, format);
  // The URL is needed until the download has started.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function follow(url: string, format: ExportFormat): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = `sentistream-posts.${format}`;
  link.click();
}
