/** The classes of popups. */
export const popupClass =
  "min-w-40 max-w-[min(92vw,22rem)] rounded-card border border-strong bg-card p-1 text-sm text-text outline-none " +
  "shadow-[0_8px_24px_rgb(0_0_0/0.12)] transition-opacity duration-150 " +
  "data-[starting-style]:opacity-0 data-[ending-style]:opacity-0";

export const menuItemClass =
  "flex min-h-8 pointer-coarse:min-h-11 cursor-default items-center gap-2 rounded-md px-2.5 py-1 outline-none select-none " +
  "data-[disabled]:text-quiet data-[highlighted]:bg-raised";
