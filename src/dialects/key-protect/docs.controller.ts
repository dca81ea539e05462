import { Controller, Get, Header } from '@nestjs/common';
import { openApiDocument, openApiPage } from './openapi.js';

/** The description of the API, for machines and for people. */
@Controller('docs')
export class DocsController {
  readonly #document = openApiDocument();
  readonly #page = openApiPage();

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
  page(): string {
    return this.#page;
  }

  @Get('openapi.json')
  document(): object {
    return this.#document;
  }
}
