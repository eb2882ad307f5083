import { useQuery } from "@tanstack/react-query";
import { getPost } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { useView } from "@/shell/useView";
import { Drawer } from "@/ui/Drawer";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { PostDetails } from "./PostDetails";

/** A drawer with the post that the URL names. */
export default function PostDrawer() {
  const { search, change } = useView();
  const close = () => change({ post: undefined });
  return (
    <Drawer title="Post" open={search.post !== undefined} onClose={close}>
      {search.post !== undefined && <Body id={search.post} onClose={close} />}
    </Drawer>
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
