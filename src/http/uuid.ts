import { z } from 'zod';

/** An id as a client may write it, in the one spelling that we keep: lower case (RFC 9562 section 4). */
export const Uuid = z.uuid().toLowerCase();
