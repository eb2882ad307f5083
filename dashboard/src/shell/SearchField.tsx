import { Search as SearchIcon } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { cx } from "@/ui/cx";
import { inputClass } from "@/ui/Input";
import { useView } from "./useView";

const PAUSE_MS = 300;

/** Full-text search. The URL updates after a short pause in typing. */
export function SearchField() {
  const { search, change } = useView();
  const q = search.q ?? "";
  const [text, setText] = useState(q);
  const sent = useRef(q);
  useEffect(() => {
    // The URL changed elsewhere, by Back or a link.
    if (q !== sent.current) setText(q);
    sent.current = q;
  }, [q]);
  useEffect(() => {
    const words = text.trim();
    if (words === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = words;
      change({ q: words }, true);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, change]);
  return (
    <div className="relative w-full min-w-32 md:w-52">
      <SearchIcon
        size={14}
        aria-hidden="true"
        className="absolute top-1/2 left-2.5 -translate-y-1/2 text-quiet"
      />
      <input
        id="search"
        type="search"
        aria-label="Search posts"
        aria-keyshortcuts="/"
        placeholder="Search posts  ( / )"
        value={text}
        onChange={(event) => setText(event.target.value)}
        className={cx(inputClass, "pl-8")}
      />
    </div>
  );
}
