/** The other half of the stories; see `stories.ts`. */
import { tellStories } from "./stories.ts";

tellStories(1);
