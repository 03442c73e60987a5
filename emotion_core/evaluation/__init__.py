"""A model's answers on labelled features, alone, fold by fold or together with other models."""
