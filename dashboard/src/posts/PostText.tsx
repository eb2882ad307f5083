import { memo } from "react";
import { cx } from "@/ui/cx";
import { textParts } from "./textParts";

/** The text of a post with links. The text direction follows its content, and long words break. */
export const PostText = memo(function PostText({ content, lines }: { content: string; lines?: 2 | 4 }) {
  return (
    <p
      dir="auto"
      className={cx(
        "break-words whitespace-pre-line [overflow-wrap:anywhere]",
        lines === 4 && "line-clamp-4",
        lines === 2 && "line-clamp-2",
      )}
    >
      {textParts(content).map((part, index) => {
        // biome-ignore-start lint/suspicious/noArrayIndexKey: the parts of a text never move
        if (part.kind === "text") return part.text;
        if (part.kind === "tag") {
          return (
            <span key={index} className="font-medium">
              {part.text}
            </span>
          );
        }
        return (
          <a
            key={index}
            href={part.href}
            target="_blank"
            rel="noopener noreferrer nofollow"
            className="relative z-10 underline decoration-strong underline-offset-2 hover:decoration-current"
          >
            {part.text}
          </a>
        );
        // biome-ignore-end lint/suspicious/noArrayIndexKey: the parts of a text never move
      })}
    </p>
  );
});
