"""Labels in the formats that people work in: tables, subtitles, tiers, tasks."""
