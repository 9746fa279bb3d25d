{#- Where the files of this project lie, from where dbt runs: as a package it is one of another project's. -#}
{% macro project_folder() -%}
    {{ var('callhouse_folder', '.' if project_name == 'callhouse' else 'dbt_packages/callhouse') }}
{%- endmacro %}
