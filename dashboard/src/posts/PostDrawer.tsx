import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useEffect } from "react";
import { getPost } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { useView } from "@/shell/useView";
import { IconButton } from "@/ui/Button";
import { Drawer } from "@/ui/Drawer";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { PostDetails } from "./PostDetails";
import { useNeighbours } from "./sequence";

/** A drawer with the post that the URL names, and buttons for the previous and the next post of the list. */
export default function PostDrawer() {
  const { search, change } = useView();
  const close = () => change({ post: undefined });
  return (
    <Drawer
      title="Post"
      open={search.post !== undefined}
      onClose={close}
      actions={<Steps id={search.post} onShow={(post) => change({ post }, true)} />}
    >
      {search.post !== undefined && <Body key={search.post} id={search.post} onClose={close} />}
    </Drawer>
  );
}

function Steps({ id, onShow }: { id: string | undefined; onShow: (id: string) => void }) {
  const { previous, next } = useNeighbours(id);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = { ArrowLeft: previous, k: previous, ArrowRight: next, j: next }[event.key];
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select");
      if (!target || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      onShow(target);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [previous, next, onShow]);
  if (!previous && !next) return null;
  return (
    <>
      <IconButton label="Previous post" disabled={!previous} onClick={() => previous && onShow(previous)}>
        <ChevronLeft size={16} />
      </IconButton>
      <IconButton label="Next post" disabled={!next} onClick={() => next && onShow(next)}>
        <ChevronRight size={16} />
      </IconButton>
    </>
  );
}

function Body({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery({
    queryKey: keys.posts.one(id),
    queryFn: ({ signal }) => getPost(id, signal),
    refetchInterval: false,
  });
  if (query.data) return <PostDetails post={query.data} onGone={onClose} />;
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return <SkeletonRows rows={4} />;
}
