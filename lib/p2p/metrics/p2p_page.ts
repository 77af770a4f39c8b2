import livePage from "../../report/live_page.html" with { type: "text" };
import p2pScript from "./p2p_page.html" with { type: "text" };

/** The live page, which with this shows nodes and networks too. */
export const p2pPage: string = insertScript(
  // The declaration of Bun takes every .html for a bundle; with type "text" it is the text.
  livePage as unknown as string,
  p2pScript as unknown as string,
);

function insertScript(page: string, script: string): string {
  const end = page.lastIndexOf("</body>");
  return page.slice(0, end) + script + page.slice(end);
}
