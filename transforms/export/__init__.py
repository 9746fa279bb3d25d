"""The models in other forms: a dbt project, the schema page."""
