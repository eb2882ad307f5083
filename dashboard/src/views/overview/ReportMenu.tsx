import { Menu } from "@base-ui/react/menu";
import { useMutation } from "@tanstack/react-query";
import { ClipboardCopy } from "lucide-react";
import { pictureOf } from "@/charts/picture";
import type { Comparison } from "@/lib/metrics";
import { reportOf } from "@/lib/report";
import { useView } from "@/shell/useView";
import { buttonClass } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { menuItemClass, popupClass } from "@/ui/popup";

interface ReportMenuProps {
  data: Comparison;
  findings: readonly string[];
  /** Whether the chart is shown, so that its picture can be copied. */
  hasChart: boolean;
}

/** Copies the view as a report: as Markdown, or its chart as a picture. */
export function ReportMenu({ data, findings, hasChart }: ReportMenuProps) {
  const { search } = useView();
  const markdown = useMutation({
    mutationFn: () =>
      navigator.clipboard.writeText(reportOf({ data, search, url: window.location.href, findings })),
  });
  const picture = useMutation({ mutationFn: copyPicture });
  return (
    <>
      <span role="status" className="sr-only">
        {markdown.isSuccess || picture.isSuccess ? "Copied" : ""}
      </span>
      <FailureNote error={markdown.error ?? picture.error} />
      <Menu.Root modal={false}>
        <Menu.Trigger className={buttonClass("plain")}>
          <ClipboardCopy size={14} aria-hidden="true" />
          <span className="hidden sm:inline">Copy as report</span>
          <span className="sr-only sm:hidden">Copy as report</span>
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner align="end" sideOffset={6} className="z-50">
            <Menu.Popup className={popupClass}>
              <Menu.Item className={menuItemClass} onClick={() => markdown.mutate()}>
                Markdown
              </Menu.Item>
              <Menu.Item className={menuItemClass} disabled={!hasChart} onClick={() => picture.mutate()}>
                {hasChart ? "Picture of the chart" : "Picture of the chart (the chart is not shown)"}
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
    </>
  );
}

/** Copies the chart, or downloads it where the browser cannot copy pictures. */
async function copyPicture(): Promise<void> {
  const svg = document.querySelector<SVGSVGElement>("[data-report-chart] svg.recharts-surface");
  if (!svg) throw new Error("the chart is not in the page");
  const blob = await pictureOf(svg);
  if ("ClipboardItem" in window && typeof navigator.clipboard?.write === "function") {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = "sentistream-chart.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
