import { Controller, UseGuards } from '@nestjs/common';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { AskedBy } from '../../http/asked-by.js';
import type { RegistrationView } from '../../keys/key-view.js';
import { ListRegistrations } from '../../keys/list-registrations.query.js';
import { Admission } from './admission.guard.js';
import { type Asked, AskedFor, Serve } from './operation.js';
import * as op from './other-operations.js';
import { collectionOf, dateText, present, REGISTRATION_TYPE } from './wire.js';

/** What keys protect. */
@Controller()
@UseGuards(Admission)
export class RegistrationsController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.LIST_REGISTRATIONS)
  list(@AskedBy() caller: Caller, @AskedFor() asked: Asked<typeof op.LIST_REGISTRATIONS>) {
    return this.#listed(caller, asked);
  }

  @Serve(op.LIST_KEY_REGISTRATIONS)
  listOfKey(@AskedBy() caller: Caller, @AskedFor() asked: Asked<typeof op.LIST_KEY_REGISTRATIONS>) {
    return this.#listed(caller, asked);
  }

  async #listed(caller: Caller, { target, query }: Asked<typeof op.LIST_REGISTRATIONS>): Promise<object> {
    const { totalCount, urlEncodedResourceCRNQuery: crn, ...page } = query;
    const place = { ...target, key: target.key || undefined };
    const { registrations, total } = await this.gate.ask(
      caller,
      new ListRegistrations(caller, place, { ...page, crn }),
    );
    return collectionOf(REGISTRATION_TYPE, registrations.map(registrationOf), {
      totalCount: totalCount ? total : null,
    });
  }
}

function registrationOf(registration: RegistrationView): object {
  const { keyId, keyName, resourceCrn, createdBy, updatedBy, description, preventKeyDeletion, version } = registration;
  return present({
    keyId,
    keyName,
    resourceCrn,
    createdBy,
    creationDate: dateText(registration.createdAt),
    updatedBy,
    lastUpdated: dateText(registration.updatedAt),
    description,
    preventKeyDeletion,
    keyVersion: { id: version.id, creationDate: dateText(version.createdAt) },
  });
}
