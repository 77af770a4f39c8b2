export { sizeText } from "../size_text.ts";
