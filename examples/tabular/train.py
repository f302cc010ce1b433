"""Train both models on half of the wine data, and write the other half to wine.csv."""

import torch
from mlp.modeling import Mlp
from safetensors.torch import save_file
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io

CULTIVARS = ["barolo", "grignolino", "barbera"]

wine = load_wine(as_frame=True)
x, x_test, y, y_test = train_test_split(
    wine.data, wine.target, test_size=0.5, random_state=0, stratify=wine.target
)
names = y.map(dict(enumerate(CULTIVARS)))
pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, names)
io.dump(pipeline, "pipeline.skops")

torch.manual_seed(0)
mlp = Mlp()
optimizer = torch.optim.Adam(mlp.parameters(), lr=0.01)
features, classes = torch.tensor(x.to_numpy()).float(), torch.tensor(y.to_numpy())
for _ in range(100):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(mlp(features), classes).backward()
    optimizer.step()
save_file(mlp.state_dict(), "mlp/model.safetensors")

x_test.assign(cultivar=y_test.map(dict(enumerate(CULTIVARS)))).to_csv("wine.csv", index=False)
