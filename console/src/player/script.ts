// Scripts that a page loads once it needs them.

/** Return what loads a script by *load*: once, and again after a failure. */
export function loadedOnce<Module>(load: () => Promise<Module>): () => Promise<Module> {
  let loading: Promise<Module> | null = null;
  return () => {
    loading ??= load().catch(async (error: Error) => {
      loading = null;
      await renew();
      throw error;
    });
    return loading;
  };
}

/** Load the page anew where the server has another one: after an upgrade the scripts of a page that was open before are gone. */
async function renew(): Promise<void> {
  const own = document.querySelector<HTMLScriptElement>("script[type=module]")?.src.split("/").pop();
  const answer = await fetch(location.pathname, { cache: "no-store" }).catch(() => null);
  if (own && answer?.ok && !(await answer.text()).includes(own)) location.reload();
}
